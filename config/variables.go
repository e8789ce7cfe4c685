package config

import "time"

// Variable is one environment variable as the documentation shows it.
type Variable struct {
	Name    string
	Default string
	Doc     string
}

type variable struct {
	Variable
	secret bool // what an error shows of it is masked as a URL
	hidden bool // nothing of it is shown
	parse  func(*Config, string) error
}

// shown is the value as an error may repeat it.
func (v variable) shown(value string) string {
	if v.hidden {
		return "***"
	}
	if v.secret {
		return maskURL(value)
	}
	return value
}

// Variables lists every variable that Load reads, in the order of the documentation.
func Variables() []Variable {
	var list []Variable
	for _, v := range variables() {
		list = append(list, v.Variable)
	}
	return list
}

// PrivateRanges are the addresses that TRUSTED_PROXIES believes by default:
// loopback, RFC 1918, link-local and unique local.
const PrivateRanges = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fc00::/7,fe80::/10"

// maxDuration keeps every duration far from overflow.
const maxDuration = 10 * 365 * 24 * time.Hour

// maxReplicas is more than a Redis has: a slip of the keyboard is told at start.
const maxReplicas = 64

func variables() []variable {
	def := func(name, value, doc string, parse func(*Config, string) error) variable {
		return variable{Variable: Variable{name, value, doc}, parse: parse}
	}
	redis := def("REDIS_URL", "", "`redis://`, `rediss://` or `unix://`, `redis+sentinel://` or `redis+cluster://`; empty: the embedded store, in process and gone at exit",
		func(c *Config, s string) error { return redisURL(&c.RedisURL, s) })
	redis.secret = true
	keys := def("SESSION_KEYS", "", "signs session ids: keys of 32 characters at least, comma-separated or a line each; the first signs, all are taken; empty: off",
		func(c *Config, s string) error { return keyList(&c.SessionKeys, s) })
	keys.secret, keys.hidden = true, true
	jwtKey := def("JWT_KEYS", "", "asks every handshake for a JSON Web Token: the issuer's public keys, a JWK Set or PEM; empty: off",
		func(c *Config, s string) error { return jwtKeys(&c.JWT.Keys, s) })
	jwtKey.secret, jwtKey.hidden = true, true
	collector := def("OTEL_EXPORTER_OTLP_ENDPOINT", "", "`http://` or `https://` of a collector that takes OTLP over HTTP; empty: no tracing",
		func(c *Config, s string) error { return collectorURL(&c.Tracing.Endpoint, s) })
	collector.secret = true
	headers := def("OTEL_EXPORTER_OTLP_HEADERS", "", "sent to the collector: `name=value`, comma-separated, values percent-encoded",
		func(c *Config, s string) error { return headerList(&c.Tracing.Headers, s) })
	headers.secret = true
	return []variable{
		def("HOST", "0.0.0.0", "address to listen on", func(c *Config, s string) error { return host(&c.Host, s) }),
		def("PORT", "8000", "TCP port to listen on; 0 picks a free one", func(c *Config, s string) error { return integer(&c.Port, s, 0, 65535) }),
		def("COLOR", "blue", "`blue` or `green`", func(c *Config, s string) error { return oneOf(&c.Color, s, "blue", "green") }),
		redis,
		def("CHANNEL_LAYER", "memory", "`memory`: handlers send within the process; `redis`: to every process, through Redis pub/sub", func(c *Config, s string) error { return oneOf(&c.ChannelLayer, s, "memory", "redis") }),
		def("REDIS_WAIT_REPLICAS", "0", "how many replicas must have a count before it is acknowledged; 0: none", func(c *Config, s string) error { return integer(&c.WaitReplicas, s, 0, maxReplicas) }),
		def("SESSION_TTL", "1h", "a session's life after its last message or its disconnect", func(c *Config, s string) error { return duration(&c.SessionTTL, s) }),
		def("SESSION_ID_FORMAT", "uuid", "`uuid`, or `token` for any `[A-Za-z0-9_-]{1,64}`", func(c *Config, s string) error { return oneOf(&c.SessionIDFormat, s, "uuid", "token") }),
		keys,
		def("SESSION_TOKEN_TTL", "168h", "how long a signed session id may be presented; every connect renews it", func(c *Config, s string) error { return duration(&c.SessionTokenTTL, s) }),
		jwtKey,
		def("JWT_ALGORITHMS", "RS256,ES256,EdDSA", "how a token may be signed; shared secrets need HS256, HS384 or HS512 here", func(c *Config, s string) error { return jwtAlgorithms(&c.JWT.Algorithms, s) }),
		def("JWT_ISSUER", "", "the `iss` of every token; needed with `JWT_KEYS`", func(c *Config, s string) error { c.JWT.Issuer = s; return nil }),
		def("JWT_AUDIENCE", "", "in the `aud` of every token; needed with `JWT_KEYS`", func(c *Config, s string) error { c.JWT.Audience = s; return nil }),
		def("JWT_SESSION_CLAIM", "", "the claim with the one session that the token opens (`*`: any); empty: each token opens any", func(c *Config, s string) error { c.JWT.SessionClaim = s; return nil }),
		def("HEARTBEAT_INTERVAL", "30s", "time between heartbeats to every connection", func(c *Config, s string) error { return duration(&c.HeartbeatInterval, s) }),
		def("IDLE_TIMEOUT", "90s", "silence after which a connection that answers no ping is closed 4000", func(c *Config, s string) error { return duration(&c.IdleTimeout, s) }),
		def("MAX_CONNECTIONS", "7000", "connections per process; 0: no limit", func(c *Config, s string) error { return integer(&c.MaxConnections, s, 0, maxCount) }),
		def("MAX_CONNECTIONS_PER_ADDRESS", "1000", "connections per process and client address (IPv6: /64), trusted proxies' own addresses excepted; 0: no limit", func(c *Config, s string) error { return integer(&c.MaxPerAddress, s, 0, maxCount) }),
		def("MAX_MESSAGE_BYTES", "65536", "largest message, over all its fragments", func(c *Config, s string) error { return integer(&c.MaxMessageBytes, s, 1, maxCount) }),
		def("MESSAGE_RATE", "0", "messages a second per connection; 0: off", func(c *Config, s string) error { return integer(&c.MessageRate, s, 0, maxCount) }),
		def("CONNECT_RATE", "0", "handshakes a second per client address; 0: off", func(c *Config, s string) error { return integer(&c.ConnectRate, s, 0, maxCount) }),
		def("COMMIT_TIMEOUT", "5s", "how long a count may wait for Redis before close 1013", func(c *Config, s string) error { return duration(&c.CommitTimeout, s) }),
		def("DRAIN_TIMEOUT", "10s", "the whole drain", func(c *Config, s string) error { return duration(&c.DrainTimeout, s) }),
		def("DRAIN_SPREAD", "3s", "the span over which a drain paces its closes", func(c *Config, s string) error { return duration(&c.DrainSpread, s) }),
		def("ALLOWED_ORIGINS", "", "origins allowed besides the own host: `scheme://host[:port]`, comma-separated, or `*`", func(c *Config, s string) error { return origins(&c.AllowedOrigins, s) }),
		def("TRUSTED_PROXIES", PrivateRanges, "addresses and CIDRs whose `X-Forwarded-For` is believed; `none`: nobody's", func(c *Config, s string) error { return prefixes(&c.TrustedProxies, s) }),
		def("LOG_LEVEL", "info", "`debug`, `info`, `warn` or `error`", func(c *Config, s string) error { return level(&c.LogLevel, s) }),
		def("LOG_FORMAT", "json", "`json`, or `text` for people", func(c *Config, s string) error { return oneOf(&c.LogFormat, s, "json", "text") }),
		collector,
		headers,
		def("OTEL_SERVICE_NAME", "baton", "the service's name in traces", func(c *Config, s string) error { c.Tracing.Service = s; return nil }),
		def("OTEL_TRACES_SAMPLER", "parentbased_always_on", "which traces are kept", func(c *Config, s string) error { return oneOf(&c.Tracing.Sampler, s, samplers()...) }),
		def("OTEL_TRACES_SAMPLER_ARG", "1", "the part that a sampler by ratio keeps, 0 to 1", func(c *Config, s string) error { return ratio(&c.Tracing.Ratio, s) }),
		def("OTEL_SDK_DISABLED", "false", "`true`: no tracing in spite of an endpoint", func(c *Config, s string) error { return boolean(&c.Tracing.Disabled, s) }),
	}
}
