"""Training: data, losses, discriminators and the loop. Needs the extra ``train``; nothing else imports it."""
