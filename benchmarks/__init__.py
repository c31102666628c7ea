"""What `make bench` runs; each benchmark prints its table and writes it to results/."""
