//! Names that something new cannot have, because something that is there has them.

use super::binding::{Binding, Reader, Text};
use super::rule::{Expression, Part, Rule};
use super::search::Search;
use crate::authorization::View;
use crate::pattern::Pattern;
use crate::residual::{Atom, Residual, Test, Variable, VariableKind};

impl Search<'_> {
    /// When nothing in the snapshot has the name already that is left for something that a rule makes.
    ///
    /// A formula leaves a name open or asks for certain ones; only these can be taken. Implements
    /// `EntityAlreadyExists` of
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html> and its like.
    ///
    /// - `residual`: what is left of the rule's calls.
    pub fn names_not_taken(
        &self,
        view: &View<'_, '_>,
        rule: &Rule,
        binding: &Binding,
        residual: &Residual,
    ) -> Residual {
        if residual.is_false() {
            return Residual::True;
        }
        let names = self.names_not_reserved(rule, residual);
        if rule.new.is_empty() {
            return names;
        }
        let reader = Reader { view: *view, kinds: self.kinds, rule };
        names.and(Residual::all((0..rule.new.len()).map(|new| {
            match reader.text(binding, &Expression(vec![Part::New(new)])) {
                Ok(Text::Literal(arn)) => Residual::constant(!self.is_taken(&arn)),
                Ok(Text::Template(prefix, variable, suffix)) => {
                    let taken = |name: &str| self.is_taken(&format!("{prefix}{name}{suffix}"));
                    names_asked_for(residual, &variable, taken)
                }
                Err(_) => Residual::True,
            }
        })))
    }

    /// When names that are chosen begin with nothing that AWS keeps for itself: of something new, and
    /// of what the attacker has elsewhere.
    ///
    /// Implements `Name` of
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html>; the
    /// tables of kinds say which beginnings these are.
    fn names_not_reserved(&self, rule: &Rule, residual: &Residual) -> Residual {
        if matches!(residual, Residual::True) {
            return Residual::True;
        }
        let chosen = residual.variables().into_iter().filter(|of| of.kind == VariableKind::Chosen);
        Residual::all(chosen.flat_map(|variable| {
            let reserved = self.reserved_for(rule, &variable);
            reserved.iter().map(move |prefix| {
                let begins = Pattern::glob(&format!("{prefix}*"), true);
                let begins = Atom::Passes(variable.clone(), Test::Like(begins));
                Residual::atom(begins).negate()
            })
        }))
    }

    /// How the name that a variable stands for cannot begin.
    fn reserved_for(&self, rule: &Rule, variable: &Variable) -> &[String] {
        let new = rule.new.iter().find(|new| new.name == variable.name);
        let made = new.and_then(|new| self.kinds.get(&new.kind));
        let named = || {
            let at = variable.scope.find("arn:")?;
            let mut keeping = self.kinds.iter().filter(|kind| !kind.name.reserved.is_empty());
            keeping.find(|kind| variable.scope.get(at..).is_some_and(|arn| kind.begins_with(arn)))
        };
        made.or_else(named).map_or(&[], |kind| &kind.name.reserved)
    }

    fn is_taken(&self, arn: &str) -> bool {
        let world = self.ground.world;
        let object = world.by_arn.get(arn).and_then(|id| world.object(*id));
        object.is_some_and(|object| !object.is_unlisted())
    }
}

/// That a name is none of those taken that a formula asks for.
fn names_asked_for(
    residual: &Residual,
    variable: &Variable,
    taken: impl Fn(&str) -> bool,
) -> Residual {
    let atoms = residual.atoms();
    // A proof tells the callers' choices apart by their scopes.
    let is_it = |of: &Variable| of.name == variable.name && of.kind == variable.kind;
    let is_taken = |atom: &Atom| match atom {
        Atom::Passes(of, Test::Like(pattern)) if is_it(of) => {
            pattern.as_literal().is_some_and(|name| taken(&name))
        }
        _ => false,
    };
    let asked = atoms.into_iter().filter(|atom| is_taken(atom));
    Residual::all(asked.map(|atom| Residual::Atom(atom).negate()))
}
