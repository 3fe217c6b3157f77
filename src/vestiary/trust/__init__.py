"""What makes a picture trustworthy: nudity check, invisible watermark, signed content credentials."""
