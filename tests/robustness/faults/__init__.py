"""What goes wrong in a run: the plan, a pure function of the seed, and the injector that carries it out."""
