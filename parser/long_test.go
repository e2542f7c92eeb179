package parser

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Long statements wait while others of them take what memory there is for trees; short ones do not.
func TestLongStatementsWait(t *testing.T) {
	if err := longTexts.Acquire(context.Background(), maxParsed); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	parse := func(text string) error {
		_, err := Parse(text, Reading{})
		return err
	}
	go func() { done <- parse("SELECT 1 IN (1" + strings.Repeat(", 23456", longText/7) + ")") }()
	if err := parse("SELECT 1"); err != nil {
		t.Error(err)
	}
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	longTexts.Release(maxParsed)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !longTexts.TryAcquire(maxParsed) {
		t.Error("it kept what it had taken")
	}
	longTexts.Release(maxParsed)
}
