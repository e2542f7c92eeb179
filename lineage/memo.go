package lineage

import "sync/atomic"

// remembered is what was made of a definition, once.
type remembered[T any] struct {
	value T
	err   error
}

// remember makes a value of a definition on first use and keeps it beside the definition.
func remember[T any](memo *atomic.Value, make func() (T, error)) (T, error) {
	if r, ok := memo.Load().(remembered[T]); ok {
		return r.value, r.err
	}
	v, err := make()
	memo.CompareAndSwap(nil, remembered[T]{v, err})
	return v, err
}
