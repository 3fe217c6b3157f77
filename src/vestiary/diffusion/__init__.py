"""Latent diffusion that puts garments on people; needs the extra `diffusion`. Read `pipeline.py` first."""
