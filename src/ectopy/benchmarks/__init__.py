"""Everything that `ectopy benchmark` measures; nothing else imports it."""
