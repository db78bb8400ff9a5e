"""What meeting a channel changes: `leadlag lift`."""
