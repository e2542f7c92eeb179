package enforcement

import (
	"net/netip"
	"time"

	"sluice/lineage"
)

// Effect is a verdict; the zero value is Deny.
type Effect uint8

// The effects.
const (
	Deny Effect = iota
	Permit
)

// Task is the task type of a session (contract 2).
type Task uint8

// The task types.
const (
	SQL Task = iota
	DT
	MapReduce
)

// String gives the type as policies spell it.
func (t Task) String() string {
	switch t {
	case DT:
		return "DT"
	case MapReduce:
		return "MapReduce"
	default:
		return "SQL"
	}
}

// Subject is who asks: the account that the warehouse authenticated, and from where.
type Subject struct {
	User string // the account's user part, from CURRENT_USER()
	Host string // the account's host pattern
	// Address is the client's own address (from the PROXY header where one is trusted).
	Address netip.Addr
	TLS     bool
}

// Request is all that a decision is made from.
type Request struct {
	Graph   *lineage.Graph
	Subject Subject
	// Schema is the session's current schema; the session project follows from it.
	Schema string
	Task   Task
	Now    time.Time
}

// Rule is what let a flow out, or why nothing did.
type Rule uint8

// The rules in their order of precedence (contract 2).
const (
	NoRule            Rule = iota // nothing permits the flow
	Unlabelled                    // the source is in no protected project
	Inside                        // the flow stays in its project
	ByPackage                     // 1
	ByTrust                       // 2
	ByException                   // 3
	ByOwner                       // the switch owner_exempt
	DeniedByException             // an exception's Deny matched
	SealBroken                    // an exception would match but its seal is broken
	NotUnderstood                 // the statement, or a part of it, cannot be read (fail closed)
	SystemData                    // other people's data (logs, process lists)
	NotRecorded                   // the audit could not take the entry
	Stale                         // the snapshot is too old to decide by (contract 5)
	NoDisplay                     // a display cap of 0
	Forbidden                     // the statement touches the schema that holds the policy
	Carried                       // the sink is session state, which takes the label on
	Abandoned                     // the session's account is not its own any more
)

// String names the rule as EXPLAIN FLOW, the audit and the metrics do.
func (r Rule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return "unknown"
}

var ruleNames = [...]string{
	NoRule: "no rule", Unlabelled: "not protected", Inside: "inside", ByPackage: "package", ByTrust: "trusted project",
	ByException: "exception", ByOwner: "owner", DeniedByException: "denied by exception", SealBroken: "seal broken",
	NotUnderstood: "not understood", SystemData: "system data", NotRecorded: "not recorded", Stale: "stale policy",
	NoDisplay: "no display", Forbidden: "policy schema", Carried: "carried", Abandoned: "abandoned account",
}

// String names the effect.
func (e Effect) String() string {
	if e == Permit {
		return "permit"
	}
	return "deny"
}

// Reason is one flow with the rule that decided it.
type Reason struct {
	Flow    lineage.Flow
	Project string // the protected project whose data it is; "" when none
	Target  string // the sink's project; "" when outside or none
	Effect  Effect
	// DryRun: Effect is Deny and the project is in dry run, so the flow is let go.
	DryRun bool
	Rule   Rule
	Detail string // the package, the exception statement's number, the construct …
	// Nearest says, for EXPLAIN FLOW, which rule almost matched and the clause that failed.
	Nearest string
}

// Decision is the verdict on one statement.
type Decision struct {
	Effect Effect
	// DryRun: Effect is Permit only because every project that would have refused is in dry run.
	DryRun   bool
	Reasons  []Reason // only flows of protected data and what is not understood; sorted
	Revision uint64
	// Cap is the number of rows that may be shown of a result that holds protected data; -1 when
	// there is no limit. CapProject is whose cap it is.
	Cap        int64
	CapProject string
	// DryCap and DryCapProject are the same of a project in dry run: past it the result goes on, and that is recorded.
	DryCap        int64
	DryCapProject string
	// Guarded: the statement reads protected data that the session project may not see, so the text
	// of the warehouse's errors and warnings is replaced (contract 2).
	Guarded bool
	// Seals are the sealed clauses that this permit rests on: drift past the gateway is to be
	// checked before it is used.
	Seals []SealUse
	// Shared are the objects of packages that this permit rests on: what they are is to be compared with what was shared.
	Shared []*SharedObject
	// Recorded: the decision is worth an audit entry (contract 7).
	Recorded bool
}

// SealUse names a seal that a permit rests on.
type SealUse struct {
	Project string
	Seal    *Seal
}

// Permitted tells whether the statement may run.
func (d *Decision) Permitted() bool { return d.Effect == Permit }
