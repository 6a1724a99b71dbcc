"""The pages, a file each. A page says what stands where; what it shows it asks `data` for."""
