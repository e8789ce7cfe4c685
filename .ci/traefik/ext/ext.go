// Package ext stands in for the dynamic-configuration extension module that
// Traefik's own build replaces with an empty one too.
package ext

// HTTP extends nothing.
type HTTP struct{}

// Router extends nothing.
type Router struct{}
