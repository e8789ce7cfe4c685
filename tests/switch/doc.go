// Package switchtest promotes colors with the real scripts on the local driver, under load, and breaks something at every step.
//
// Each test runs twice: with baton's own front door and store, and with Traefik and Redis where they are installed.
package switchtest
