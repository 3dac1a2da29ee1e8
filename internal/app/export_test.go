package app

// Bounded is bounded.
var Bounded = bounded
