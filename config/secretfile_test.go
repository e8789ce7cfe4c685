package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeSecret(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASecretIsReadFromItsFileWithoutOneNewline(t *testing.T) {
	const url = "redis://:hunter2@h:6379/0"
	for _, content := range []string{url, url + "\n", url + "\r\n"} {
		c, err := FromEnv(env("REDIS_URL_FILE", writeSecret(t, content)))
		if err != nil || c.RedisURL != url {
			t.Errorf("%q gave %q, %v", content, c.RedisURL, err)
		}
	}
	if _, err := FromEnv(env("REDIS_URL_FILE", writeSecret(t, url+"\n\n"))); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a second newline is part of the value: %v", err)
	}
}

func TestEverySecretHasAFile(t *testing.T) {
	for _, v := range variables() {
		name := v.Name + fileSuffix
		_, err := FromEnv(env(name, "/nowhere/secret"))
		if got := err != nil && strings.Contains(err.Error(), name); got != v.secret {
			t.Errorf("%s is read: %v (%v), want %v", name, got, err, v.secret)
		}
	}
}

func TestASecretsFileThatCannotBeUsedIsNamed(t *testing.T) {
	both := env("REDIS_URL", "redis://:hunter2@h", "REDIS_URL_FILE", writeSecret(t, "redis://:hunter3@h"))
	_, err := FromEnv(both)
	if err == nil || !strings.Contains(err.Error(), "REDIS_URL and REDIS_URL_FILE") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("both set: %v", err)
	}
	for what, path := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "x"), "a directory": t.TempDir(), "empty": writeSecret(t, "\n"),
		"endless": "/dev/zero", "large": writeSecret(t, strings.Repeat("x", maxSecretBytes+1)), "wrong": writeSecret(t, "http://:hunter2@h"),
	} {
		_, err := FromEnv(env("REDIS_URL_FILE", path))
		if err == nil || !strings.Contains(err.Error(), "REDIS_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAKeyALineIsAListOfKeys(t *testing.T) {
	a, b := strings.Repeat("a", minKey), strings.Repeat("b", minKey)
	c, err := FromEnv(env("SESSION_KEYS_FILE", writeSecret(t, a+"\n"+b+",\r\n")))
	if err != nil || len(c.SessionKeys) != 2 || c.SessionKeys[0] != a || c.SessionKeys[1] != b {
		t.Errorf("got %q, %v", c.SessionKeys, err)
	}
}

func TestASecretInPlaceOfAPathIsNotRepeated(t *testing.T) {
	for _, name := range []string{"REDIS_URL_FILE", "SESSION_KEYS_FILE"} {
		_, err := FromEnv(env(name, "redis://:hunter2@h:6379/0"))
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}
