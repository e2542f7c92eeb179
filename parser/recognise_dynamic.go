package parser

import "strings"

// recognisePrepare reads PREPARE s FROM 'text' | @v | expr.
func recognisePrepare(s *scan) bool {
	s.i = 1
	_, name, ok := s.name()
	if !ok || !s.accept("FROM") || s.done() {
		return false
	}
	d := &Dynamic{Verb: "prepare", Name: strings.ToLower(name)}
	d.give(s, s.rest())
	s.st.Extra.Dynamic = d
	return s.evaluates(d.Expression)
}

// evaluates keeps what the expression of a text reads: a text that is made of data is data.
func (s *scan) evaluates(expression string) bool {
	if expression == "" {
		return true
	}
	nodes, ok := s.expression(expression)
	s.st.Extra.More = append(s.st.Extra.More, nodes...)
	return ok
}

// give sets the text, or the expression that has it as its value.
func (d *Dynamic) give(s *scan, text string) {
	t := s.st.Tokens[s.i]
	if s.i+1 == s.last() && t.Kind == String && !strings.Contains(t.text(s.st.Text), `\`) {
		d.Text = unquote(t.text(s.st.Text))
		return
	}
	d.Expression = text
}

// recogniseExecute reads EXECUTE s [INTO …] [USING …] and EXECUTE IMMEDIATE expr [INTO …] [USING …].
func recogniseExecute(s *scan) bool {
	s.i = 1
	d := &Dynamic{Verb: "execute"}
	if s.accept("IMMEDIATE") {
		d.Verb = "immediate"
		end := s.last()
		for _, w := range []string{"INTO", "USING"} {
			if n := s.find(w); n >= 0 && n < end {
				end = n
			}
		}
		if end <= s.i {
			return false
		}
		t := s.st.Tokens[s.i]
		if end == s.i+1 && t.Kind == String && !strings.Contains(t.text(s.st.Text), `\`) {
			d.Text = unquote(t.text(s.st.Text))
		} else {
			d.Expression = s.text(s.i, end)
		}
		if !s.evaluates(d.Expression) {
			return false
		}
		s.i = end
	} else {
		_, name, ok := s.name()
		if !ok {
			return false
		}
		d.Name = strings.ToLower(name)
	}
	if s.accept("INTO") {
		for !s.done() && !s.is("USING") {
			t := s.st.Tokens[s.i]
			if t.Kind == UserVariable || t.isName() {
				s.st.Extra.Into = append(s.st.Extra.Into, Variable{Name: t.variable(s.st.Text), User: t.Kind == UserVariable})
			}
			s.i++
		}
	}
	if s.accept("USING") {
		if !using(s, d) {
			return false
		}
	}
	s.st.Extra.Dynamic = d
	return s.done()
}

func using(s *scan, d *Dynamic) bool {
	for !s.done() {
		end := s.find(",")
		if end < 0 {
			end = s.last()
		}
		text := s.text(s.i, end)
		d.Using = append(d.Using, text)
		if !(end == s.i+1 && (s.is("DEFAULT") || s.is("IGNORE"))) {
			nodes, ok := s.expression(text)
			if !ok {
				return false
			}
			s.st.Extra.More = append(s.st.Extra.More, nodes...)
		}
		if s.i = end; s.is(",") {
			s.i++
		}
	}
	return true
}

// recogniseDeallocate reads DEALLOCATE PREPARE s; recogniseDrop also DROP PREPARE s.
func recogniseDeallocate(s *scan) bool {
	s.i = 1
	if !s.accept("PREPARE") {
		return false
	}
	_, name, ok := s.name()
	s.st.Extra.Dynamic = &Dynamic{Verb: "deallocate", Name: strings.ToLower(name)}
	s.st.Extra.Control = true
	return ok
}

func recogniseDrop(s *scan) bool {
	if s.is("DROP", "PREPARE") {
		return recogniseDeallocate(s)
	}
	return recogniseDropProgram(s)
}
