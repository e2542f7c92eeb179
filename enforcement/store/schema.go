// Package store keeps the policy: its truth in tables of the warehouse, a cache and notices in Redis,
// and one immutable snapshot in this process.
//
// A change is one transaction, one revision and one row of the change log. Change returns only when no
// gateway can decide by an older revision any more (the argument stands in docs/promise.md).
// Redis is never trusted: what comes from it is compared with the truth's digest. Redis lost means slower,
// never more permissive.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"sluice/warehouse"
)

// exact ends a table's definition: names differ by case where the warehouse's do, and hold any character, whatever the
// server's defaults are.
const exact = ") CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

// migrations bring the schema from each version to the next. They are never edited once released.
var migrations = [][]string{{
	`CREATE TABLE IF NOT EXISTS sluice.revision (id INT PRIMARY KEY, revision BIGINT NOT NULL, digest VARCHAR(64) NOT NULL, definitions BIGINT NOT NULL` + exact,
	`CREATE TABLE IF NOT EXISTS sluice.projects (name VARCHAR(128) PRIMARY KEY, document LONGTEXT NOT NULL` + exact,
	`CREATE TABLE IF NOT EXISTS sluice.change_log (revision BIGINT PRIMARY KEY, at VARCHAR(32) NOT NULL, who VARCHAR(255) NOT NULL, statement LONGTEXT NOT NULL, before_change LONGTEXT NOT NULL, after_change LONGTEXT NOT NULL` + exact,
	`CREATE TABLE IF NOT EXISTS sluice.gateways (id VARCHAR(64) PRIMARY KEY, expires BIGINT NOT NULL, revision BIGINT NOT NULL, definitions BIGINT NOT NULL` + exact,
	`CREATE TABLE IF NOT EXISTS sluice.audit (id VARCHAR(32) PRIMARY KEY, at VARCHAR(32) NOT NULL, gateway VARCHAR(64) NOT NULL, user_name VARCHAR(255) NOT NULL, host VARCHAR(255) NOT NULL, client VARCHAR(64) NOT NULL, connection_id BIGINT NOT NULL, session_project VARCHAR(128) NOT NULL, task VARCHAR(16) NOT NULL, kind VARCHAR(64) NOT NULL, tier VARCHAR(16) NOT NULL, verdict VARCHAR(16) NOT NULL, rule_name VARCHAR(64) NOT NULL, reason LONGTEXT NOT NULL, flows LONGTEXT NOT NULL, projects LONGTEXT NOT NULL, alarm VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL, text LONGTEXT NOT NULL, revision BIGINT NOT NULL` + exact,
	`INSERT INTO sluice.revision (id, revision, digest, definitions) VALUES (1, 0, '', 0)`,
}, {
	`CREATE TABLE IF NOT EXISTS sluice.definitions (schema_name VARCHAR(128) PRIMARY KEY, state VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL` + exact,
}}

const versionQuery = "SELECT value FROM sluice.meta WHERE name = 'version'"

// ErrNewer says that the schema was made by a newer gateway than this one.
var ErrNewer = errors.New("the sluice schema is of a newer version than this gateway: upgrade the gateway")

// migrate brings the schema up to date. Several gateways may start at once: one works, the others wait.
// A schema that is up to date is left alone: to define anything, even what is there, moves every gateway's catalog clock.
func migrate(ctx context.Context, pool *warehouse.Pool) error {
	if rows, err := pool.Query(ctx, versionQuery); err == nil && len(rows) == 1 && value(rows[0], 0) == strconv.Itoa(len(migrations)) {
		return nil
	}
	return pool.Session(ctx, func(t *warehouse.Tx) error {
		if _, err := t.Exec("CREATE DATABASE IF NOT EXISTS sluice CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
			return fmt.Errorf("create the schema sluice: %w", err)
		}
		if rows, err := t.Query("SELECT GET_LOCK('sluice.migrate', 60)"); err == nil {
			if len(rows) == 0 || rows[0][0] == nil || *rows[0][0] != "1" {
				return errors.New("another gateway has been migrating the schema sluice for a minute")
			}
			defer func() { _, _ = t.Query("SELECT RELEASE_LOCK('sluice.migrate')") }()
		}
		return step(t)
	})
}

// step runs the migrations that are missing. Definitions cannot be rolled back, so each version is
// written down only when all of it is there, and its statements can be run again.
func step(t *warehouse.Tx) error {
	if _, err := t.Exec("CREATE TABLE IF NOT EXISTS sluice.meta (name VARCHAR(64) PRIMARY KEY, value VARCHAR(255) NOT NULL" + exact); err != nil {
		return fmt.Errorf("create sluice.meta: %w", err)
	}
	version, err := schemaVersion(t)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return ErrNewer
	}
	for v := version; v < len(migrations); v++ {
		for _, statement := range migrations[v] {
			if _, err := t.Exec(statement); err != nil && !duplicate(err) {
				return fmt.Errorf("migrate the schema sluice to version %d: %w", v+1, err)
			}
		}
		if _, err := t.Exec("REPLACE INTO sluice.meta (name, value) VALUES ('version', ?)", strconv.Itoa(v+1)); err != nil {
			return fmt.Errorf("note the version of the schema sluice: %w", err)
		}
	}
	return nil
}

func schemaVersion(t *warehouse.Tx) (int, error) {
	rows, err := t.Query(versionQuery)
	if err != nil {
		return 0, fmt.Errorf("read the version of the schema sluice: %w", err)
	}
	if len(rows) == 0 || rows[0][0] == nil {
		return 0, nil
	}
	return strconv.Atoi(*rows[0][0])
}

// duplicate: the row is there already, from a migration that stopped half-way.
func duplicate(err error) bool {
	var e *warehouse.Error
	return errors.As(err, &e) && e.Code == 1062
}
