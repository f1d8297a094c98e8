"""What repeats below the page, counted and cut by shuffles: `pipeline.repeats` for tables of any size."""
