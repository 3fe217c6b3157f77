"""The studio: a page on which shoppers try clothes on. Static files, and the routes that serve them."""
