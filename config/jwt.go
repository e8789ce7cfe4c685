package config

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// JWT is what a handshake's JSON Web Token is checked by; no keys: none is asked for.
type JWT struct {
	Keys         []jose.JSONWebKey
	Algorithms   []jose.SignatureAlgorithm
	Issuer       string
	Audience     string
	SessionClaim string
}

// maxKeys bounds what a token without a kid costs: each key is tried.
const maxKeys = 16

// check finds what is wrong with the variables together: half of a check would
// look like one.
func (j JWT) check() error {
	switch {
	case len(j.Keys) == 0 && (j.Issuer != "" || j.Audience != "" || j.SessionClaim != ""):
		return errors.New("JWT_KEYS is empty, and another JWT_… variable is not: without keys no token is asked for")
	case len(j.Keys) > 0 && (j.Issuer == "" || j.Audience == ""):
		return errors.New("JWT_KEYS needs JWT_ISSUER and JWT_AUDIENCE: a token for another service must not open sessions here")
	}
	for i := range j.Keys {
		if !slices.ContainsFunc(j.Algorithms, func(a jose.SignatureAlgorithm) bool { return fits(j.Keys[i].Key, a) }) {
			return fmt.Errorf("JWT_KEYS: none of JWT_ALGORITHMS is for key %d of them", i+1)
		}
	}
	return nil
}

// jwtKeys reads a JWK Set (RFC 7517), or public keys in PEM.
func jwtKeys(dst *[]jose.JSONWebKey, s string) error {
	if s == "" {
		return nil
	}
	var set jose.JSONWebKeySet
	if strings.HasPrefix(s, "{") {
		if err := json.Unmarshal([]byte(s), &set); err != nil {
			return errors.New("is no JWK Set: {\"keys\": [...]}")
		}
	} else if err := pemKeys(&set, []byte(s)); err != nil {
		return err
	}
	if len(set.Keys) == 0 || len(set.Keys) > maxKeys {
		return fmt.Errorf("must hold 1 to %d keys", maxKeys)
	}
	for _, key := range set.Keys {
		if secret, shared := key.Key.([]byte); shared && len(secret) < minKey {
			return fmt.Errorf("a shared secret must have %d bytes at least", minKey)
		} else if !shared && !key.IsPublic() {
			return errors.New("holds a private key: only the issuer may have that, give its public key")
		}
		if key.Use == "enc" {
			return errors.New("holds a key for encryption: only those for signatures can be used")
		}
	}
	*dst = set.Keys
	return nil
}

func pemKeys(set *jose.JSONWebKeySet, rest []byte) error {
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil || block.Type != "PUBLIC KEY" {
			return errors.New("must be PEM of the kind PUBLIC KEY, as openssl pkey -pubout makes, or a JWK Set")
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key})
	}
	if strings.TrimSpace(string(rest)) != "" {
		return errors.New("must be a JWK Set or public keys in PEM, and nothing else")
	}
	return nil
}

// families are the algorithms by the type of key that can verify them. "none"
// is in no family.
func families() map[string][]jose.SignatureAlgorithm {
	return map[string][]jose.SignatureAlgorithm{
		"*rsa.PublicKey":    {jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512},
		"*ecdsa.PublicKey":  {jose.ES256, jose.ES384, jose.ES512},
		"ed25519.PublicKey": {jose.EdDSA},
		"[]uint8":           {jose.HS256, jose.HS384, jose.HS512},
	}
}

func fits(key any, algorithm jose.SignatureAlgorithm) bool {
	return slices.Contains(families()[fmt.Sprintf("%T", key)], algorithm)
}

func jwtAlgorithms(dst *[]jose.SignatureAlgorithm, s string) error {
	var known []jose.SignatureAlgorithm
	for _, family := range families() {
		known = append(known, family...)
	}
	for _, item := range list(s) {
		algorithm := jose.SignatureAlgorithm(item)
		if !slices.Contains(known, algorithm) {
			return fmt.Errorf("%q is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512", item)
		}
		*dst = append(*dst, algorithm)
	}
	return nil
}
