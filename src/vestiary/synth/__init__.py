"""Posed 3D people in rendered garments with exact ground truth; see docs/data/synthetic.md."""
