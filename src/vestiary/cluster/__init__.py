"""Past one machine: engines as replicas of Ray Serve, and catalogues through Ray Data. Needs the extra `ray`."""
