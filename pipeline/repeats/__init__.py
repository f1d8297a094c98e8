"""What repeats below the page becomes counts, and pages without it."""
