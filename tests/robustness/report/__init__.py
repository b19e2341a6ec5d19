"""What a run comes to: availability, figures for programs, a page for people."""
