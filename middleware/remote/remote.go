// Package remote finds out who asks: the client's address behind trusted
// proxies.
package remote

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// maxHops is how many entries of X-Forwarded-For are looked at.
const maxHops = 16

// networkBits is what of an IPv6 address tells one client from another: a
// household has a /64 at least, and any address in it for the asking.
const networkBits = 64

type localsKey struct{}

type trustedKey struct{}

// New stores the client's address for Address. X-Forwarded-For is read from its
// end, as long as the hop before it is a trusted proxy: what a client wrote
// itself stands before that and is not believed.
func New(trusted []netip.Prefix) fiber.Handler {
	return func(c *fiber.Ctx) error {
		peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
		address := client(peer.Unmap(), c.GetReqHeaders()[fiber.HeaderXForwardedFor], trusted)
		c.Locals(localsKey{}, address)
		c.Locals(trustedKey{}, isTrusted(address, trusted))
		return c.Next()
	}
}

// Address is the client's address, without port.
func Address(c *fiber.Ctx) string {
	address, _ := c.Locals(localsKey{}).(netip.Addr)
	return address.String()
}

// Network is what limits count a client by: its IPv4 address, or the /64 of its
// IPv6 address.
func Network(c *fiber.Ctx) netip.Addr {
	address, _ := c.Locals(localsKey{}).(netip.Addr)
	return network(address)
}

// Trusted tells whether the address is itself a trusted proxy's: who is behind
// it is not known.
func Trusted(c *fiber.Ctx) bool {
	trusted, _ := c.Locals(trustedKey{}).(bool)
	return trusted
}

func network(address netip.Addr) netip.Addr {
	if !address.Is6() || address.Is4In6() {
		return address
	}
	prefix, err := address.WithZone("").Prefix(networkBits)
	if err != nil {
		return address
	}
	return prefix.Addr()
}

func client(peer netip.Addr, forwarded []string, trusted []netip.Prefix) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && len(hops)-i <= maxHops && isTrusted(peer, trusted); i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		peer = hop
	}
	return peer
}

// parseHop reads an address, also with the port that some proxies add. A zone is
// dropped: it is any text, of any length, and means something on one machine only.
func parseHop(text string) (netip.Addr, error) {
	hop, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		hop = withPort.Addr()
	}
	return hop.Unmap().WithZone(""), err
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, prefix := range trusted {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}
