"""The generative engine: latent diffusion over person and garment side by side (needs the extra `diffusion`)."""
