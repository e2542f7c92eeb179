package lineage

import "strings"

// nativeFunctions are functions of the server's own that tools call whatever the current schema is. An unqualified
// name of one never means a stored function. The list need not be whole: it counts only where the current schema is
// one of the system's, whose stored functions cannot be read.
var nativeFunctions = set(`abs ceil ceiling char_length coalesce concat concat_ws connection_id convert_tz curdate
current_date current_role current_time current_timestamp current_user curtime database date_add date_format date_sub
elt field find_in_set floor format found_rows from_unixtime greatest hex if ifnull insert instr is_used_lock isnull
json_extract json_object json_unquote last_insert_id lcase least left length locate lower lpad ltrim md5 mid mod now
nullif quote rand regexp_replace repeat replace reverse right round row_count rpad rtrim schema session_user sha1
sha2 sleep str_to_date substr substring substring_index sysdate system_user trim truncate ucase unhex unix_timestamp
upper user utc_timestamp uuid version`)

// spacedFunctions are functions of the server's own whose name means a stored function when white space stands between
// it and the parenthesis.
var spacedFunctions = set(`bit_and bit_or bit_xor count curdate curtime date_add date_sub group_concat max mid min now session_user
std stddev stddev_pop stddev_samp substr substring sum sysdate system_user trim var_pop var_samp variance avg`)

// ownFunction tells whether an unqualified call certainly means a function of the server's own, whatever stands in the
// current schema.
func (t *tracer) ownFunction(name string) bool {
	name = strings.ToLower(name)
	if !spacedFunctions[name] {
		return nativeFunctions[name]
	}
	st := t.at
	if st == nil && !t.body {
		st = t.b.statement
	}
	return st != nil && !spaced(st.Text, name)
}

// spaced tells whether white space stands between a name and a parenthesis anywhere in a text, be it in a literal.
func spaced(text, name string) bool {
	for lower := strings.ToLower(text); ; {
		at := strings.Index(lower, name)
		if at < 0 {
			return false
		}
		lower = lower[at+len(name):]
		if rest := strings.TrimLeft(lower, "` \t\r\n\v\f\""); len(rest) < len(lower) && strings.HasPrefix(rest, "(") {
			return true
		}
	}
}

func set(words string) map[string]bool {
	m := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// routineless tells whether no stored function can stand in a schema.
func routineless(schema string) bool {
	s := strings.ToLower(schema)
	return s == "information_schema" || s == "performance_schema" || s == "metrics_schema"
}
