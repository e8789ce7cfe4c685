// Package peers holds what Baton is measured beside, in a module of its own: none of it is Baton's dependency.
package peers
