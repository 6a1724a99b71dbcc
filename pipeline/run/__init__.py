"""The shell: the only room that starts threads, reads settings and knows every part."""
