"""How other systems read what the service knows, and how devices send by other ways than the web."""
