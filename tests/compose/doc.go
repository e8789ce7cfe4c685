// Package compose runs docker/compose.yml for real: the scripts an operator uses, against the Docker engine
// of this machine, with images made of the programs that are installed on it.
package compose
