package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// YAML is n written anew, without comments, anchors and merges.
func (n *Node) YAML() ([]byte, error) { return yaml.Marshal(n.value()) }

// value is n as package yaml writes it.
func (n *Node) value() any {
	switch n.Kind {
	case KindMapping:
		m := yaml.MapSlice{}
		for _, f := range n.Fields {
			m = append(m, yaml.MapItem{Key: f.Key, Value: f.Value.value()})
		}
		return m
	case KindList:
		list := []any{}
		for _, item := range n.Items {
			list = append(list, item.value())
		}
		return list
	case KindNull:
		return nil
	case KindText:
		return n.Text
	}
	var v any
	if yaml.Unmarshal([]byte(n.Text), &v) != nil {
		return n.Text
	}
	return v
}

// JSON is n as JSON: keys in the file's order, numbers as they are written where JSON has them so.
func (n *Node) JSON() ([]byte, error) {
	var out bytes.Buffer
	if err := n.encode(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (n *Node) encode(out *bytes.Buffer) error {
	switch n.Kind {
	case KindMapping:
		return n.encodeMapping(out)
	case KindList:
		out.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := item.encode(out); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case KindInteger, KindNumber:
		if json.Valid([]byte(n.Text)) {
			out.WriteString(n.Text)
			return nil
		}
		return encodeValue(out, n.value())
	case KindText, KindBool, KindNull:
		return encodeValue(out, n.value())
	}
	if out.Len() > maxJSON {
		return fmt.Errorf("the value has more than %d bytes as JSON", maxJSON)
	}
	return nil
}

// maxJSON bounds what a value may grow to by its aliases, in bytes.
const maxJSON = 16 << 20

func (n *Node) encodeMapping(out *bytes.Buffer) error {
	out.WriteByte('{')
	for i, f := range n.Fields {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encodeValue(out, f.Key); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := f.Value.encode(out); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// encodeValue writes a scalar. JSON has neither infinity nor NaN.
func encodeValue(out *bytes.Buffer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return errors.New("JSON has no such number")
	}
	out.Write(b)
	return nil
}
