// Package sluice is the root of the gateway's module; its tests hold the house rules. The program is cmd/proxy.
package sluice
