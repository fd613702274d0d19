"""A side-car is the JSON beside a NIfTI image that says what its header cannot: BIDS-PET or dcm2niix."""
