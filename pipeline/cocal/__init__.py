"""cocal: from satellite images and field records to hectares per region."""
