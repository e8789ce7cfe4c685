// Package kubernetes tests what docker/kubernetes promises: its manifests, and restarts inside a color.
package kubernetes
