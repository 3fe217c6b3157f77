"""The live mirror: a film goes through the fitting, frame by frame, with pose and body held steady over time."""
