package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const maxRefusalBytes = 4 << 10

// RefusedError is a handshake that got an HTTP answer other than 101.
type RefusedError struct {
	Status     int           // of HTTP
	Code       string        // of the JSON body, such as "at_capacity"; may be empty (a proxy's answer)
	Message    string        // of the JSON body, for people
	RetryAfter time.Duration // 0: not said
}

func (e *RefusedError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("handshake refused: %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("handshake refused: %d %s: %s", e.Status, e.Code, e.Message)
}

func refused(answer *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxRefusalBytes))
	var said struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(body, &said) // a proxy's page has none
	return &RefusedError{
		Status:     answer.StatusCode,
		Code:       said.Error.Code,
		Message:    said.Error.Message,
		RetryAfter: retryAfter(answer.Header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads both forms of RFC 9110, 10.2.3: seconds and a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil && date.After(now) {
		return date.Sub(now)
	}
	return 0
}
