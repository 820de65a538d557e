"""The lab: virtual machines to try segue in.  See README.md."""
