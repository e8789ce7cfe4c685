// Package dashboards checks what an operator sees: the dashboards' form, and every expression of every panel
// and rule against a real Prometheus that scrapes real servers.
package dashboards
