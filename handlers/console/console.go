// Package console serves the page that shows what the service does, from inside the binary.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"

	"github.com/gofiber/fiber/v2"

	"baton/client/js"
)

//go:embed static
var static embed.FS

// What the page may do: its own scripts, styles and connections, nothing inline, and no frame around it.
// connect-src 'self' covers the WebSocket of the same host and port (CSP Level 3, section 6.7.2.8).
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The files have no versions in their names, so a browser asks each time whether they changed; the answer is mostly 304.
const cacheControl = "no-cache"

// asset is one file, as it is sent.
type asset struct {
	body        []byte
	contentType string
	etag        string
}

// Register mounts the page at / and its files at /assets/. All its addresses are relative, so that it works behind a
// prefix that a proxy strips.
func Register(r fiber.Router) {
	index, assets := load()
	r.Get("/", func(c *fiber.Ctx) error { return send(c, index) })
	r.Get("/assets/:name", func(c *fiber.Ctx) error {
		a, ok := assets[c.Params("name")]
		if !ok {
			return fiber.ErrNotFound
		}
		return send(c, a)
	})
}

func load() (index asset, assets map[string]asset) {
	assets = map[string]asset{"baton.js": read(js.Files, "baton.js")}
	files, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err) // the files are part of the binary
	}
	for _, file := range files {
		assets[file.Name()] = read(static, "static/"+file.Name())
	}
	index = assets["index.html"]
	delete(assets, "index.html")
	return index, assets
}

func read(files embed.FS, name string) asset {
	body, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(body)
	return asset{
		body:        body,
		contentType: contentType(path.Ext(name)),
		etag:        fmt.Sprintf("%q", hex.EncodeToString(sum[:8])),
	}
}

// contentType does not ask the operating system, whose tables differ.
func contentType(extension string) string {
	switch extension {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		panic("console: no content type for " + extension)
	}
}

func send(c *fiber.Ctx, a asset) error {
	c.Set(fiber.HeaderContentSecurityPolicy, contentSecurityPolicy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, cacheControl)
	c.Set(fiber.HeaderETag, a.etag)
	if c.Fresh() {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, a.contentType)
	return c.Send(a.body)
}
