"""Files, and later sockets, in: bytes become events here, with the help of `normalize`."""
