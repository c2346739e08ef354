"""How a build is carried out: whom it is about, what is not up to date, how far it is, how it may end."""
