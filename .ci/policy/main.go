// policy reads manifests from stdin and says what in them breaks the rules that every pod here keeps. Exit code 1 then.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// longestDrain is over preStop (3 s) and DRAIN_TIMEOUT's default (10 s).
const longestDrain = 13

// node is any part of a manifest. What is missing is read as an empty one, or as the zero value.
type node map[string]any

func main() {
	broken, pods, err := check(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(2)
	}
	for _, line := range broken {
		fmt.Fprintln(os.Stderr, line)
	}
	if pods == 0 {
		fmt.Fprintln(os.Stderr, "policy: no pod in what was given")
	}
	if len(broken) > 0 || pods == 0 {
		os.Exit(1)
	}
	fmt.Printf("%d kinds of pods keep the rules\n", pods)
}

// check reads every document and returns the broken rules and the number of pods' templates.
func check(manifests io.Reader) (broken []string, pods int, err error) {
	decoder := yaml.NewDecoder(manifests)
	for {
		var document node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return broken, pods, nil
		} else if err != nil {
			return nil, 0, err
		}
		name := fmt.Sprintf("%v/%v", document["kind"], document.at("metadata")["name"])
		for _, spec := range specs(document) {
			pods++
			for _, rule := range podRules(document["kind"], spec) {
				broken = append(broken, name+": "+rule)
			}
		}
	}
}

// specs are the pods' specs anywhere in an object: a custom resource may have one too.
func specs(value any) []node {
	var found []node
	switch value := value.(type) {
	case node:
		if _, holds := value["containers"]; holds {
			return []node{value}
		}
		for _, part := range value {
			found = append(found, specs(part)...)
		}
	case []any:
		for _, part := range value {
			found = append(found, specs(part)...)
		}
	}
	return found
}

// rule is a sentence that has to hold.
type rule struct {
	holds bool
	says  string
}

func podRules(kind any, pod node) []string {
	security := pod.at("securityContext")
	broken := failed([]rule{
		{security["runAsNonRoot"] == true, "runAsNonRoot is not true"},
		{number(security["runAsUser"]) > 0, "runAsUser is not set, or root"},
		{security.at("seccompProfile")["type"] == "RuntimeDefault", "the seccomp profile is not RuntimeDefault"},
		{pod["automountServiceAccountToken"] == false, "a service account's token is mounted"},
		{pod["hostNetwork"] == nil && pod["hostPID"] == nil && pod["hostIPC"] == nil, "a host's namespace is shared"},
		{kind != "Deployment" || number(pod["terminationGracePeriodSeconds"]) > longestDrain, "the grace period is not over the drain"},
	})
	for _, one := range append(pod.list("containers"), pod.list("initContainers")...) {
		for _, says := range containerRules(kind, one) {
			broken = append(broken, fmt.Sprintf("container %v: %s", one["name"], says))
		}
	}
	return broken
}

func containerRules(kind any, container node) []string {
	security, resources := container.at("securityContext"), container.at("resources")
	image, _ := container["image"].(string)
	_, tag, tagged := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	drop, _ := security.at("capabilities")["drop"].([]any)
	serves := kind == "Deployment" || kind == "StatefulSet"
	return failed([]rule{
		{security["readOnlyRootFilesystem"] == true, "the root file system is not read-only"},
		{security["allowPrivilegeEscalation"] == false, "privileges may be escalated"},
		{slices.Contains(drop, any("ALL")), "capabilities are not dropped"},
		{tagged && tag != "latest", "the image " + image + " has no version"},
		{resources.at("requests")["cpu"] != nil && resources.at("requests")["memory"] != nil, "cpu or memory is not requested"},
		{resources.at("limits")["memory"] != nil, "memory is not limited"},
		{!serves || container["readinessProbe"] != nil, "there is no readiness probe"},
		{kind != "Deployment" || container["livenessProbe"] != nil, "there is no liveness probe"},
	})
}

func failed(rules []rule) []string {
	var says []string
	for _, one := range rules {
		if !one.holds {
			says = append(says, one.says)
		}
	}
	return says
}

func (n node) at(name string) node {
	part, _ := n[name].(node)
	return part
}

func (n node) list(name string) []node {
	var list []node
	items, _ := n[name].([]any)
	for _, item := range items {
		if one, is := item.(node); is {
			list = append(list, one)
		}
	}
	return list
}

func number(value any) int {
	n, _ := value.(int)
	return n
}
