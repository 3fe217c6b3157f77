"""What learned engines see: a person, garments and text as named arrays of fixed shapes and ranges."""
