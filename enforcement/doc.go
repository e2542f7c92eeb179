// Package enforcement decides whether the flows of a statement are permitted.
//
// It holds the policy model (protection, trust, packages, exceptions, seals,
// roles), the immutable Snapshot built from it, and Decide. It is pure: no SQL, no
// I/O, no clock of its own. The zero Decision is a denial.
package enforcement
