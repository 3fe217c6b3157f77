"""The embedded engine step by step: body → placement → deform → agnostic → light → layers → blend."""
