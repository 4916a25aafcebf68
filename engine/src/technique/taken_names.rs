//! Names that something new cannot have, because something that is there has them.

use super::binding::{Binding, Reader, Text};
use super::rule::{Expression, Part, Rule};
use super::search::Search;
use crate::authorization::View;
use crate::residual::{Atom, Residual, Test, Variable};

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
        if rule.new.is_empty() || residual.is_false() {
            return Residual::True;
        }
        let reader = Reader { view: *view, kinds: self.kinds, rule };
        Residual::all((0..rule.new.len()).map(|new| {
            match reader.text(binding, &Expression(vec![Part::New(new)])) {
                Ok(Text::Literal(arn)) => Residual::constant(!self.is_taken(&arn)),
                Ok(Text::Template(prefix, variable, suffix)) => {
                    let taken = |name: &str| self.is_taken(&format!("{prefix}{name}{suffix}"));
                    names_asked_for(residual, &variable, taken)
                }
                Err(_) => Residual::True,
            }
        }))
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
