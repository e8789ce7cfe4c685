//go:build cluster

package kubernetes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"
)

// podObject is as much of a pod as a kubelet needs.
type podObject struct {
	Metadata struct {
		Name, UID                  string
		DeletionTimestamp          *time.Time
		DeletionGracePeriodSeconds *int
	}
	Spec struct {
		NodeName   string
		Containers []container
		Volumes    []struct {
			Name   string
			Secret *struct{ SecretName string }
		}
	}
	Status struct{ Phase string }
}

type container struct {
	Name, Image  string
	Command      []string
	Args         []string
	Env          []struct{ Name, Value string }
	EnvFrom      []struct{ ConfigMapRef *struct{ Name string } }
	VolumeMounts []struct{ Name, MountPath string }
	Lifecycle    struct {
		PreStop struct{ Sleep struct{ Seconds int } }
	}
}

// pod is one process and what is told of it.
type pod struct {
	kubelet  *kubelet
	object   podObject
	address  string
	began    time.Time
	cmd      *exec.Cmd
	exited   chan struct{}
	restarts int
	started  bool // the startup probe has been answered
	ready    bool
	waiting  string // why no process runs
	retry    time.Time
	told     object
	stopping time.Time // when it was first seen to be deleted
	signaled bool
}

// sync does what is due, then tells the API server where that differs from what was told before.
func (p *pod) sync() {
	if p.object.Metadata.DeletionTimestamp != nil {
		p.end()
		return
	}
	switch {
	case p.cmd == nil && time.Now().After(p.retry):
		p.start()
	case p.cmd != nil && p.hasExited():
		p.cmd, p.started, p.waiting = nil, false, "CrashLoopBackOff"
		p.restarts++
		p.retry = time.Now().Add(restartAfter)
	}
	p.probe()
	p.tell()
}

// probe asks as the Deployment's probes do. (None of it restarts a process: that is the liveness probe's, not played.)
func (p *pod) probe() {
	base := "http://" + p.address + ":8000"
	p.started = p.cmd != nil && (p.started || answers(base+"/healthz"))
	p.ready = p.started && answers(base+"/readyz")
}

func (p *pod) start() {
	c := p.object.Spec.Containers[0]
	program, found := p.kubelet.program(c.Image)
	if !found {
		p.waiting = "ErrImagePull"
		return
	}
	env, err := p.environment(c)
	if err != nil {
		p.waiting = "CreateContainerConfigError"
		return
	}
	p.waiting = ""
	p.cmd, p.exited = exec.Command(program, c.Args...), make(chan struct{})
	p.cmd.Env = env
	log, err := os.OpenFile(p.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.waiting, p.cmd = "CreateContainerError", nil
		return
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.waiting, p.cmd = "CreateContainerError", nil
		return
	}
	_ = os.WriteFile(p.file("pid"), fmt.Append(nil, p.cmd.Process.Pid), 0o600)
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(p.cmd, p.exited)
}

// environment of a container: its own, its ConfigMaps', and the paths of its secrets.
func (p *pod) environment(c container) ([]string, error) {
	env := []string{"HOST=" + p.address, "PORT=8000", "PATH=" + os.Getenv("PATH")}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			for name, value := range p.kubelet.settings(from.ConfigMapRef.Name) {
				env = append(env, name+"="+value)
			}
		}
	}
	mounts := map[string]string{}
	for _, volume := range p.object.Spec.Volumes {
		if volume.Secret == nil {
			continue
		}
		dir := p.file(volume.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := p.kubelet.secret(volume.Secret.SecretName, dir); err != nil {
			return nil, err
		}
		mounts[volume.Name] = dir
	}
	for _, variable := range c.Env {
		for _, mount := range c.VolumeMounts {
			if dir, found := mounts[mount.Name]; found {
				variable.Value = strings.Replace(variable.Value, mount.MountPath, dir, 1)
			}
		}
		env = append(env, variable.Name+"="+variable.Value)
	}
	return env, nil
}

// end is a pod's way out: sleep, SIGTERM, and SIGKILL at the end of its grace period.
func (p *pod) end() {
	now := time.Now()
	if p.stopping.IsZero() {
		p.stopping = now
	}
	running := p.cmd != nil && !p.hasExited()
	sleep := time.Duration(p.object.Spec.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
	grace := 30 * time.Second
	if seconds := p.object.Metadata.DeletionGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	switch {
	case running && now.Sub(p.stopping) > grace:
		p.kill()
	case running && !p.signaled && now.Sub(p.stopping) >= sleep:
		p.signaled = true
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	case !running:
		options := object{"gracePeriodSeconds": 0, "preconditions": object{"uid": p.object.Metadata.UID}}
		_ = p.kubelet.api.call("DELETE", p.path(), asJSON, options, nil)
	}
	if running {
		p.probe()
		p.tell()
	}
}

// tell patches the pod's status, if there is news.
func (p *pod) tell() {
	state := object{"running": object{"startedAt": p.began.UTC().Format(time.RFC3339)}}
	if p.cmd == nil {
		state = object{"waiting": object{"reason": p.waiting}}
	}
	c := p.object.Spec.Containers[0]
	status := object{
		"phase": "Running", "podIP": p.address, "podIPs": []object{{"ip": p.address}}, "startTime": p.began.UTC().Format(time.RFC3339),
		"containerStatuses": []object{{
			"name": c.Name, "image": c.Image, "imageID": c.Image, "state": state, "ready": p.ready, "started": p.started, "restartCount": p.restarts,
		}},
	}
	if reflect.DeepEqual(status, p.told) {
		return
	}
	told := object{}
	for key, value := range status {
		told[key] = value
	}
	status["conditions"] = []object{
		condition("PodScheduled", true), condition("Initialized", true), condition("ContainersReady", p.ready), condition("Ready", p.ready),
	}
	if p.kubelet.api.call("PATCH", p.path()+"/status", asMergePatch, object{"status": status}, nil) == nil {
		p.told = told
	}
}

func (p *pod) kill() {
	if p.cmd != nil && !p.hasExited() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

func (p *pod) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *pod) path() string { return "/api/v1/namespaces/baton/pods/" + p.object.Metadata.Name }

func (p *pod) file(kind string) string {
	return filepath.Join(p.kubelet.dir, p.object.Metadata.Name+"."+kind)
}
