"""What tables say of a page becomes its story, and the story lines, JSON or a page."""
