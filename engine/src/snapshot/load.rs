//! Loading: from a folder, or a single file of account authorization details, to a [`World`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use escalade_models::{ResourceKinds, aws_managed_policies};
use rayon::prelude::*;

use super::assembly::assemble;
use super::details::{Details, is_account_id};
use super::documents::Documents;
use super::draft::AccountDraft;
use super::error::SnapshotError;
use super::files::{Progress, Reader, Responses, gap};
use super::identity::{KINDS, read_details};
use super::links::link;
use super::organization::Organization;
use super::resources::{listing, read_region, take_global};
use super::response::{ResponseFiles, is_absence};
use super::shown_keys::name_owners;
use super::tree::{SnapshotFiles, Tree};
use super::world::World;
use crate::residual::Gap;

/// How to load.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Whether a file that cannot be used is listed in [`World::gaps`] and the rest loaded, instead
    /// of ending the loading. A single file that cannot be used always ends it.
    pub keep_going: bool,
    /// Told how much has been read, after every file, from any thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        Self { keep_going: true, progress: None }
    }
}

const DETAILS: &str = "iam/get-account-authorization-details";

impl World {
    /// Loads a snapshot: a folder with `accounts/` (and `organization/`), or the JSON file of one
    /// account's `get-account-authorization-details`.
    ///
    /// Fails if there is no such file or folder, if it holds no account, or if no account can be
    /// read; with `keep_going` off also at the first file (accounts and files by name) that cannot
    /// be used. Everything else that is missing or not understood is in [`World::gaps`], in
    /// attributes that are `Err`, and in [`super::Account::uncollected`].
    pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Self, SnapshotError> {
        Self::load_from(Tree::Disk, path, options)
    }

    /// Loads a snapshot that is held in memory, as [`World::load`] does one on disk.
    pub fn of_files(
        files: &SnapshotFiles,
        options: &LoadOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        Self::load_from(Tree::Held(files), files.root(), options)
    }

    fn load_from(
        tree: Tree<'_>,
        path: &Path,
        options: &LoadOptions<'_>,
    ) -> Result<Self, SnapshotError> {
        let kinds = ResourceKinds::builtin()?;
        let managed = aws_managed_policies().map_err(SnapshotError::ManagedPolicies)?;
        let reader = Reader::new(tree, options.progress);
        let (mut drafts, organization) = if tree.is_folder(path) {
            let accounts = account_folders(tree, path)?;
            let read: Vec<Result<AccountDraft, SnapshotError>> = accounts
                .found
                .par_iter()
                .map(|(id, folder)| read_account(id, folder, &kinds, &reader))
                .collect();
            let organization = read_organization(path, accounts.found.len() == 1, &reader)?;
            let mut drafts = usable(read, options.keep_going)?;
            if let Some(first) = drafts.first_mut() {
                first.gaps.extend(accounts.gaps);
            }
            for draft in &mut drafts {
                draft.gaps.extend(draft.damaged.iter().map(|error| error.as_gap(path)));
            }
            (drafts, organization)
        } else {
            (read_single(path, &kinds, &reader)?, None)
        };
        let (organization, gaps) = match organization {
            Some(mut read) => {
                if !options.keep_going && !read.damaged.is_empty() {
                    return Err(read.damaged.swap_remove(0));
                }
                read.gaps.extend(read.damaged.iter().map(|error| error.as_gap(path)));
                (Some((read.organization, read.documents)), read.gaps)
            }
            None => (None, Vec::new()),
        };
        name_owners(&mut drafts);
        let mut world = assemble(drafts, organization, &managed);
        world.gaps.extend(gaps);
        world.gaps.extend(not_collected(&world));
        world.gaps.sort();
        world.gaps.dedup();
        Ok(world)
    }
}

/// That accounts of the organization are not in the snapshot, said once.
fn not_collected(world: &World) -> Option<Gap> {
    let organization = world.organization.as_ref()?;
    let there: BTreeSet<&Arc<str>> = world.accounts.iter().map(|account| &account.id).collect();
    let missing: Vec<&Arc<str>> =
        organization.accounts().filter(|id| !there.contains(id)).collect();
    let (first, others) = missing.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(gap(format!(
        "organization/list-accounts.json: account {first}{others} is not in the snapshot: ways into \
         it and out of it were not looked at"
    )))
}

/// The accounts that can be used. With `keep_going` one that cannot is an account about which
/// nothing is known; if none can, that is an error.
fn usable(
    read: Vec<Result<AccountDraft, SnapshotError>>,
    keep_going: bool,
) -> Result<Vec<AccountDraft>, SnapshotError> {
    let mut drafts = Vec::with_capacity(read.len());
    for account in read {
        let mut draft = account?;
        if !keep_going && !draft.damaged.is_empty() {
            return Err(draft.damaged.swap_remove(0));
        }
        drafts.push(draft);
    }
    // Without any principal or policy there is nothing to answer from.
    let nothing = |draft: &AccountDraft| {
        KINDS
            .iter()
            .all(|kind| draft.account.uncollected.contains_key(&((*kind).into(), "global".into())))
    };
    if drafts.iter().all(nothing)
        && let Some(draft) = drafts.iter_mut().find(|draft| !draft.damaged.is_empty())
    {
        return Err(draft.damaged.swap_remove(0));
    }
    Ok(drafts)
}

/// The accounts of a folder, sorted by id.
struct AccountFolders {
    found: Vec<(String, PathBuf)>,
    gaps: Vec<Gap>,
}

fn account_folders(tree: Tree<'_>, path: &Path) -> Result<AccountFolders, SnapshotError> {
    let accounts = path.join("accounts");
    let lacks = |problem| SnapshotError::NotASnapshot { path: path.to_owned(), problem };
    if !tree.is_folder(&accounts) {
        return Err(lacks("expected a folder accounts in it"));
    }
    let mut out = AccountFolders { found: Vec::new(), gaps: Vec::new() };
    for entry in tree.entries(&accounts)? {
        let name = entry.name;
        match name.to_str() {
            Some(id) if is_account_id(id) && tree.is_folder(&entry.path) => {
                out.found.push((id.to_owned(), entry.path));
            }
            _ => out.gaps.push(gap(format!("accounts/{name:?}: no account id, not read"))),
        }
    }
    if out.found.is_empty() {
        return Err(lacks("expected a folder accounts/<account id> in it"));
    }
    Ok(out)
}

fn read_account(
    id: &str,
    folder: &Path,
    kinds: &ResourceKinds,
    reader: &Reader<'_>,
) -> Result<AccountDraft, SnapshotError> {
    let mut draft = AccountDraft::new(id, "aws");
    let mut regions: Vec<(String, Responses)> = Vec::new();
    let tree = reader.tree;
    // A folder that cannot be read is an account about which nothing is known.
    let entries = tree.entries(folder).unwrap_or_else(|error| {
        draft.damaged.push(error);
        Vec::new()
    });
    for entry in entries {
        let name = entry.name;
        let shown = format!("accounts/{id}/{}", name.to_string_lossy().escape_debug());
        match name.to_str() {
            Some(region) if tree.is_folder(&entry.path) => {
                match Responses::find(tree, &entry.path, &shown, &mut draft.gaps) {
                    Ok(responses) => regions.push((region.to_owned(), responses)),
                    Err(error) => draft.damaged.push(error),
                }
            }
            _ => draft.gaps.push(gap(format!("{shown}: no Region, not read"))),
        }
    }

    let is_global = |(region, _): &(String, Responses)| region == "global";
    let mut global = match regions.iter().position(is_global) {
        Some(at) => regions.remove(at).1,
        None => Responses::default(),
    };
    for (_, responses) in &mut regions {
        take_global(kinds, &mut global, responses);
    }
    regions.push(("global".to_owned(), global));

    // The details first: they say the partition. They are global, but a Region's folder will do.
    let none = Responses::default();
    let place = |region: &str| format!("accounts/{id}/{region}");
    let holder = regions
        .iter()
        .find(|(region, responses)| region == "global" && responses.get(DETAILS).is_some())
        .or_else(|| regions.iter().find(|(_, responses)| responses.get(DETAILS).is_some()))
        .or_else(|| regions.iter().find(|(region, _)| region == "global"));
    let (region, responses) = match holder {
        Some((region, responses)) => (region.as_str(), responses),
        None => ("global", &none),
    };
    let mut files = ResponseFiles::new(responses, place(region), reader);
    match responses.get(DETAILS) {
        Some(file) => {
            let outcome = reader.read(&file.path).and_then(|text| {
                let details: Details<'_> = serde_json::from_str(&text)
                    .map_err(|error| SnapshotError::json(&file.path, &text, &error))?;
                take_details(&details, &file.shown, &mut files, &mut draft);
                Ok(())
            });
            if let Err(error) = outcome {
                draft.damaged.push(error);
                nothing_about_iam(&mut draft, &gap(format!("{} could not be used", file.shown)));
            }
        }
        None => {
            let why = files.not_asked(DETAILS);
            draft.gaps.push(why.clone());
            nothing_about_iam(&mut draft, &why);
        }
    }
    finish(files, &mut draft);

    for (region, responses) in &regions {
        let mut files = ResponseFiles::new(responses, place(region), reader);
        if region == "global" {
            read_region(kinds, None, &mut files, &mut draft);
        } else {
            let region: Arc<str> = region.as_str().into();
            draft.account.regions.push(region.clone());
            read_region(kinds, Some(&region), &mut files, &mut draft);
        }
        finish(files, &mut draft);
    }
    if draft.account.regions.is_empty() {
        no_region(kinds, &mut draft);
    }
    merge(&mut draft);
    link(kinds, &mut draft);
    Ok(draft)
}

/// Puts together what the details and other responses say of the same instance profile.
fn merge(draft: &mut AccountDraft) {
    let mut from_details = std::collections::BTreeSet::new();
    draft.objects.retain(|one| {
        &*one.object.kind != "iam:instance-profile" || from_details.insert(one.object.arn.clone())
    });
}

fn take_details(
    details: &Details<'_>,
    shown: &str,
    files: &mut ResponseFiles<'_>,
    draft: &mut AccountDraft,
) {
    if let Some(error) = &details.error {
        let code = error.code.as_deref().unwrap_or_default();
        let said = if is_absence(code) { "there is none" } else { "AWS answered" };
        let why = gap(format!("{shown}: {said} {code:?}"));
        draft.gaps.push(why.clone());
        nothing_about_iam(draft, &why);
        return;
    }
    if let Some(partition) = details.partition() {
        draft.account.partition = partition.into();
    }
    read_details(details, shown, files, draft);
}

fn nothing_about_iam(draft: &mut AccountDraft, why: &Gap) {
    for kind in KINDS {
        draft.account.uncollected.insert((kind.into(), "global".into()), why.clone());
    }
}

/// No Region's folder: of what is in Regions nothing is known. Said under the Region `*`.
fn no_region(kinds: &ResourceKinds, draft: &mut AccountDraft) {
    for kind in kinds.iter().filter(|kind| !kind.global) {
        let Some(file) = listing(kind) else { continue };
        let why =
            format!("accounts/{}: no Region was collected: {file} was not asked", draft.account.id);
        draft.account.uncollected.insert((kind.kind.as_str().into(), "*".into()), gap(why));
    }
}

fn finish(files: ResponseFiles<'_>, draft: &mut AccountDraft) {
    let (damaged, gaps) = files.finish();
    draft.damaged.extend(damaged);
    draft.gaps.extend(gaps);
}

/// A single file: the account is the one of its ARNs.
fn read_single(
    path: &Path,
    kinds: &ResourceKinds,
    reader: &Reader<'_>,
) -> Result<Vec<AccountDraft>, SnapshotError> {
    let text = reader.read(path)?;
    let details: Details<'_> =
        serde_json::from_str(&text).map_err(|error| SnapshotError::json(path, &text, &error))?;
    let lacks = |problem| SnapshotError::NotASnapshot { path: path.to_owned(), problem };
    let accounts = details.accounts();
    if accounts.is_empty() {
        return Err(lacks(
            "expected the account authorization details of an account, found no ARN with an \
             account id",
        ));
    }
    let shown = path.file_name().unwrap_or_default().to_string_lossy().escape_debug().to_string();
    let one = |account: &str| {
        let mut draft = AccountDraft::new(account, "aws");
        draft.others = accounts.iter().map(|account| Arc::from(*account)).collect();
        let none = Responses::default();
        let mut files = ResponseFiles::new(&none, format!("accounts/{account}/global"), reader);
        take_details(&details, &shown, &mut files, &mut draft);
        finish(files, &mut draft);
        let mut files = ResponseFiles::new(&none, format!("accounts/{account}/global"), reader);
        read_region(kinds, None, &mut files, &mut draft);
        no_region(kinds, &mut draft);
        link(kinds, &mut draft);
        draft
    };
    Ok(accounts.iter().map(|account| one(account)).collect())
}

struct OrganizationRead {
    organization: Organization,
    documents: Documents,
    gaps: Vec<Gap>,
    damaged: Vec<SnapshotError>,
}

/// - `alone`: whether the snapshot has one account.
fn read_organization(
    path: &Path,
    alone: bool,
    reader: &Reader<'_>,
) -> Result<Option<OrganizationRead>, SnapshotError> {
    let folder = path.join("organization");
    if !reader.tree.is_folder(&folder) {
        return Ok(None);
    }
    let mut gaps = Vec::new();
    let responses = Responses::find(reader.tree, &folder, "organization", &mut gaps)?;
    let mut files = ResponseFiles::new(&responses, "organization".to_owned(), reader);
    let mut documents = Documents::default();
    if Organization::is_not_in_use(&mut files) {
        // It says so of the account that asked: of others nothing is known.
        let none = alone.then(|| OrganizationRead {
            organization: Organization::none(&mut documents),
            documents,
            gaps,
            damaged: Vec::new(),
        });
        return Ok(none);
    }
    let organization = Organization::read(&mut files, &mut documents, &mut gaps);
    let (damaged, noticed) = files.finish();
    gaps.extend(noticed);
    Ok(Some(OrganizationRead { organization, documents, gaps, damaged }))
}
