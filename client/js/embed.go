// Package js carries the browser's client inside the binary, so that the console is served from the same source that is
// published.
package js

import "embed"

// Files holds baton.js.
//
//go:embed baton.js
var Files embed.FS
