// Package config reads Baton's configuration from the environment, once, and
// tells every mistake in it at once.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/joho/godotenv"
)

// Config is the whole configuration of one process, checked and typed.
type Config struct {
	Host  string
	Port  int
	Color string // "blue" or "green"

	RedisURL        string // empty: the embedded store
	ChannelLayer    string // "memory" or "redis"
	WaitReplicas    int    // replicas that must have what is acknowledged; 0: none
	SessionTTL      time.Duration
	SessionIDFormat string   // "uuid" or "token"
	SessionKeys     []string // sign session ids, the first one new ones; none: ids are not signed
	SessionTokenTTL time.Duration

	HeartbeatInterval time.Duration
	IdleTimeout       time.Duration
	MaxConnections    int // 0: no limit
	MaxPerAddress     int // connections per client address; 0: no limit
	MaxMessageBytes   int
	MessageRate       int // messages a second, per connection; 0: off
	ConnectRate       int // handshakes a second, per client address; 0: off

	CommitTimeout time.Duration
	DrainTimeout  time.Duration
	DrainSpread   time.Duration

	AllowedOrigins []string // "scheme://host[:port]", or one "*"
	TrustedProxies []netip.Prefix

	LogLevel  slog.Level
	LogFormat string // "json" or "text"

	JWT JWT

	Tracing Tracing
}

// Tracing is OpenTelemetry's own variables, as far as Baton has to know them.
type Tracing struct {
	Endpoint string // OTLP over HTTP; empty: off
	Headers  map[string]string
	Service  string
	Sampler  string
	Ratio    float64
	Disabled bool
}

// Error lists every variable that cannot be used, a line each.
type Error struct{ Problems []string }

func (e *Error) Error() string { return strings.Join(e.Problems, "\n") }

// Load reads dotenv files (missing ones are no error; the environment wins)
// and then the environment. An *Error tells all that is wrong at once.
func Load(dotenv ...string) (Config, error) {
	for _, file := range dotenv {
		if err := godotenv.Load(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return Config{}, &Error{[]string{fmt.Sprintf("%s: cannot be read as KEY=value lines: %v", file, sanitize(err))}}
		}
	}
	return FromEnv(os.Getenv)
}

// sanitize keeps a parser's complaint from repeating the line it complains of,
// which may hold a secret.
func sanitize(err error) string {
	text, _, _ := strings.Cut(err.Error(), " near ")
	text, _, _ = strings.Cut(text, "\"")
	return strings.TrimSpace(text)
}

// FromEnv reads every variable through get, a secret's NAME_FILE too. An empty
// value is the default.
func FromEnv(get func(string) string) (Config, error) {
	var c Config
	var problems []string
	for _, v := range variables() {
		value, err := v.lookup(get)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if value == "" {
			value = v.Default
		}
		if err := v.parse(&c, value); err != nil {
			problems = append(problems, fmt.Sprintf("%s=%q: %v", v.Name, v.shown(value), err))
		}
	}
	if err := c.JWT.check(); err != nil && len(problems) == 0 {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return Config{}, &Error{problems}
	}
	return c, nil
}
