package lineage

import "strings"

// nativeFunctions are functions of the server's own that tools call whatever the current schema is. An unqualified
// name of one never means a stored function. The list need not be whole: it counts only where the current schema is
// one of the system's, whose stored functions cannot be read.
var nativeFunctions = set(`abs ceil ceiling char_length coalesce concat concat_ws connection_id convert_tz curdate
current_date current_role current_time current_timestamp current_user curtime database date_add date_format date_sub
elt field find_in_set floor format found_rows from_unixtime greatest hex if ifnull instr is_used_lock isnull
json_extract json_object json_unquote last_insert_id lcase least left length locate lower lpad ltrim md5 mid mod now
nullif quote rand regexp_replace repeat replace reverse right round row_count rpad rtrim schema session_user sha1
sha2 sleep str_to_date substr substring substring_index sysdate system_user trim truncate ucase unhex unix_timestamp
upper user utc_timestamp uuid version`)

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
